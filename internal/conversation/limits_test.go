package conversation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/conversation"
)

// The schema is what promises customers a length; the limits on the way follow from the constant.
func TestTheLongestMessageIsTheOneThatTheAPIAllows(t *testing.T) {
	crd, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "deskfleet.dev_servicedesks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, schema, found := strings.Cut(string(crd), "maxMessageLength:\n")
	if !found {
		t.Fatal("the schema has no maxMessageLength")
	}
	schema, _, _ = strings.Cut(schema, "minimum:")
	if want := fmt.Sprintf("maximum: %d\n", conversation.MaxTextRunes); !strings.Contains(schema, want) {
		t.Errorf("the schema of maxMessageLength has no %q:\n%s", want, schema)
	}
}

// worst are the longest texts in the spellings that JSON makes longest.
func worst() map[string]string {
	return map[string]string{
		"escaped":  strings.Repeat("<", conversation.MaxTextBytes),
		"controls": strings.Repeat("\x01", conversation.MaxTextBytes),
		"Chinese":  strings.Repeat("字", conversation.MaxTextRunes),
		"emoji":    strings.Repeat("😀", conversation.MaxTextRunes),
	}
}

func TestTheLongestTextFitsEverywhere(t *testing.T) {
	if conversation.MaxEventBytes >= conversation.MaxBatchBytes || conversation.MaxBatchBytes >= bus.MaxMessage {
		t.Errorf("an event of %d bytes must fit a batch of %d, and that a message of %d",
			conversation.MaxEventBytes, conversation.MaxBatchBytes, bus.MaxMessage)
	}
	name := strings.Repeat("<", conversation.MaxNameBytes)
	for spelling, text := range worst() {
		t.Run(spelling, func(t *testing.T) {
			m := &conversation.Message{
				From: conversation.Actor{Kind: conversation.KindBot, ID: strings.Repeat("b", 64), Name: name}, Text: text,
				ClientID: strings.Repeat("c", 64), Channel: strings.Repeat("w", 64), Rule: name,
				Entry: &conversation.Citation{
					KnowledgeBase: name, ID: name, Question: strings.Repeat("<", conversation.MaxQuestionBytes), Confidence: 0.123456789,
				},
			}
			data, err := conversation.Encode(event(1, m))
			if err != nil {
				t.Fatal(err)
			}
			e, err := conversation.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Body.(*conversation.Message); got.Text != text {
				t.Errorf("the text comes back with %d bytes, want %d", len(got.Text), len(text))
			}
			batch := &conversation.Batch{
				V: conversation.Version, ID: conversation.NewID(start), At: start, Router: "router-0",
				Events: []conversation.Event{event(1, &conversation.Said{Text: text, Rule: name})},
			}
			if _, err := conversation.EncodeBatch(batch); err != nil {
				t.Error(err)
			}
		})
	}
	over := &conversation.Message{From: ann.Actor(), Text: strings.Repeat("x", conversation.MaxTextBytes+1), ClientID: "m1"}
	if _, err := conversation.Encode(event(1, over)); err == nil {
		t.Error("a longer text is accepted")
	}
}
