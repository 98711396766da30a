package archive

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// search reads all pages.
func search(t testing.TB, st Store, r protocol.SearchRequest) []protocol.Hit {
	t.Helper()
	var hits []protocol.Hit
	for {
		reply, err := st.Search(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		hits = append(hits, reply.Hits...)
		if reply.Next == "" {
			return hits
		}
		r.Before = reply.Next
	}
}

func TestSearch(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		for _, text := range []string{
			"I want a REFUND for order 4711",
			"我要退款，订单还没有发货",
			"请问退货运费谁承担？",
			"refund 退款 please",
			"100% wool_coat \\ \"quoted\"",
			"10000 woolXcoat",
		} {
			s.says(conversation.NewID(s.now), customer("c-17"), text)
		}
		s.store(st)
		for _, c := range []struct {
			text string
			want []string // newest first
		}{
			{"refund", []string{"refund 退款 please", "I want a REFUND for order 4711"}},
			{"efun", []string{"refund 退款 please", "I want a REFUND for order 4711"}},
			{"order refund", []string{"I want a REFUND for order 4711"}},
			{"退款", []string{"refund 退款 please", "我要退款，订单还没有发货"}}, // two characters: no trigram
			{"退货运费", []string{"请问退货运费谁承担？"}},
			{"没有发货", []string{"我要退款，订单还没有发货"}},
			{"货", []string{"请问退货运费谁承担？", "我要退款，订单还没有发货"}},
			{"refund 退款", []string{"refund 退款 please"}},
			{"0%", []string{"100% wool_coat \\ \"quoted\""}},
			{"wool_coat", []string{"100% wool_coat \\ \"quoted\""}},
			{"l_", []string{"100% wool_coat \\ \"quoted\""}},
			{`"quoted"`, []string{"100% wool_coat \\ \"quoted\""}},
			{`\`, []string{"100% wool_coat \\ \"quoted\""}},
			{"AND OR NOT", nil},
			{"nothing like this", nil},
		} {
			for _, limit := range []int{0, 1} {
				var got []string
				for _, h := range search(t, st, protocol.SearchRequest{Text: c.text, Limit: limit}) {
					if h.Message == nil || h.Message.From.ID != "c-17" || h.Conversation.Contact != "c-17" {
						t.Errorf("hit %+v", h)
					}
					got = append(got, h.Message.Text)
				}
				if !cmp.Equal(got, c.want) {
					t.Errorf("%q, limit %d: %s", c.text, limit, cmp.Diff(c.want, got))
				}
			}
		}
	})
}

func TestSearchFilters(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		var ids []conversation.ID
		for i := range 4 {
			id, _ := s.served(fmt.Sprintf("c-%d", i%2), "hello there")
			ids = append(ids, id)
		}
		halfTime := s.now
		id, _ := s.served("c-1", "hello again")
		ids = append(ids, id)
		waiting := conversation.NewID(s.now)
		s.says(waiting, customer("c-1"), "hello, anybody?")
		s.store(st)
		for name, c := range map[string]struct {
			r    protocol.SearchRequest
			want []conversation.ID
		}{
			"all":     {protocol.SearchRequest{}, []conversation.ID{waiting, ids[4], ids[3], ids[2], ids[1], ids[0]}},
			"contact": {protocol.SearchRequest{Contact: "c-1"}, []conversation.ID{waiting, ids[4], ids[3], ids[1]}},
			"agent":   {protocol.SearchRequest{Agent: "mei", Contact: "c-1"}, []conversation.ID{ids[4], ids[3], ids[1]}},
			"from":    {protocol.SearchRequest{From: halfTime}, []conversation.ID{waiting, ids[4]}},
			"to":      {protocol.SearchRequest{To: halfTime, Channel: "web"}, []conversation.ID{ids[3], ids[2], ids[1], ids[0]}},
			"text":    {protocol.SearchRequest{Text: "hello", Contact: "c-1", To: halfTime}, []conversation.ID{ids[3], ids[1]}},
			"none":    {protocol.SearchRequest{Channel: "mail"}, nil},
		} {
			for _, limit := range []int{0, 1, 2} {
				c.r.Limit = limit
				var got []conversation.ID
				for _, h := range search(t, st, c.r) {
					got = append(got, h.Conversation.ID)
				}
				if !cmp.Equal(got, c.want) {
					t.Errorf("%s, limit %d: %s", name, limit, cmp.Diff(c.want, got))
				}
			}
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st := d.store()
		for field, r := range map[string]protocol.SearchRequest{
			"limit":   {Limit: protocol.MaxItems + 1},
			"text":    {Text: strings.Repeat("x", protocol.MaxTextRunes+1)},
			"before":  {Text: "x", Before: "; DROP TABLE messages"},
			"contact": {Contact: "a\x00"},
			"words":   {Text: strings.Repeat("x ", protocol.MaxWords+1)},
		} {
			if _, err := st.Search(t.Context(), r); !errors.Is(err, ErrBadRequest) || !strings.Contains(err.Error(), field) {
				t.Errorf("%s: %v", field, err)
			}
		}
		if _, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: "no such", After: "x"}); !errors.Is(err, ErrBadRequest) {
			t.Errorf("a bad cursor: %v", err)
		}
		if _, err := st.Transcript(t.Context(), protocol.TranscriptRequest{Conversation: "no such"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown conversation: %v", err)
		}
		if _, err := st.Audit(t.Context(), protocol.AuditRequest{Limit: -1}); !errors.Is(err, ErrBadRequest) {
			t.Errorf("a negative limit: %v", err)
		}
	})
}
