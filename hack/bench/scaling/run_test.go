package main

import (
	"bytes"
	"io"
	"testing"
)

// What is published can be checked by whoever runs it again: two runs print the same bytes, the table and JSON.
func TestTwoRunsPrintTheSame(t *testing.T) {
	for _, form := range []string{"table", "json"} {
		var first, second bytes.Buffer
		for _, out := range []*bytes.Buffer{&first, &second} {
			if err := run([]string{"-only", "small", "-seeds", "2", "-sweep", "-o", form}, out, io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		if first.Len() < 500 || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("two runs differ:\n%s\n%s", &first, &second)
		}
	}
}
