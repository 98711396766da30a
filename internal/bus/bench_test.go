package bus

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// benchmarkLog is a log on one server that syncs always, as in production.
func benchmarkLog(b *testing.B) (Log, Subjects) {
	b.Helper()
	return testLogWith(b, 2<<30)
}

var payload = make([]byte, 300)

func BenchmarkAppendSyncAlways(b *testing.B) {
	l, s := benchmarkLog(b)
	i := 0
	for b.Loop() {
		i++
		if _, _, err := l.Append(b.Context(), s.Messages("c1"), payload, AppendOptions{MsgID: fmt.Sprint(i)}); err != nil {
			b.Fatal(err)
		}
	}
}

// The router's append: each expects the one before.
func BenchmarkAppendFenced(b *testing.B) {
	l, s := benchmarkLog(b)
	var last uint64
	for b.Loop() {
		seq, _, err := l.Append(b.Context(), s.Decisions(), payload, AppendOptions{MsgID: fmt.Sprint(last), ExpectLast: Expect(last)})
		if err != nil {
			b.Fatal(err)
		}
		last = seq
	}
}

// Many conversations at a time, as gateways append.
func BenchmarkAppendConcurrent(b *testing.B) {
	l, s := benchmarkLog(b)
	var next atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1)
			if _, _, err := l.Append(b.Context(), s.Messages(fmt.Sprint("c", i%1000)), payload, AppendOptions{MsgID: fmt.Sprint(i)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// One conversation of 20 messages among 199 others.
func BenchmarkReadConversation(b *testing.B) {
	l, s := benchmarkLog(b)
	for i := range 4000 {
		if _, _, err := l.Append(b.Context(), s.Messages(fmt.Sprint("c", i%200)), payload, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		for _, err := range l.Read(b.Context(), s.Conversation("c7"), 0) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 20 {
			b.Fatalf("read %d messages", n)
		}
	}
}
