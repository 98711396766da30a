package retrieval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/deskfleet/deskfleet/internal/knowledge"
)

// longestLine bounds a line of a file, in bytes: an answer of 8,000 characters and fifty questions fit many times.
const longestLine = 4 << 20

// Query is a question with the ids of the entries that answer it.
type Query struct {
	Text string `json:"text"`
	// Expected ids; none for a question that is out of scope.
	Expected []string `json:"expected"`
}

// ReadEntries reads entries as JSON lines {"id","questions":[…],"answer","lang"}. Errors name the line.
func ReadEntries(name string, from io.Reader) ([]knowledge.Entry, error) {
	var entries []knowledge.Entry
	seen := map[string]int{}
	err := eachLine(name, from, func(line int, content []byte) error {
		var e struct {
			ID        string   `json:"id"`
			Questions []string `json:"questions"`
			Answer    string   `json:"answer"`
			Lang      string   `json:"lang"`
		}
		if err := json.Unmarshal(content, &e); err != nil {
			return fmt.Errorf("%w: write {\"id\":…,\"questions\":[…],\"answer\":…,\"lang\":…}", err)
		}
		if e.ID == "" {
			return errors.New("id is missing: give each entry one")
		}
		if first, ok := seen[e.ID]; ok {
			return fmt.Errorf("id %q stands in line %d already: rename or remove one of them", e.ID, first)
		}
		if len(e.Questions) == 0 && e.Answer == "" {
			return fmt.Errorf("entry %q has neither questions nor an answer: give one of them", e.ID)
		}
		seen[e.ID] = line
		entries = append(entries, knowledge.Entry{ID: e.ID, Questions: e.Questions, Answer: e.Answer, Language: e.Lang, Origin: fmt.Sprintf("%s:%d", name, line)})
		return nil
	})
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%s: no entry: write one in each line", name)
	}
	return entries, err
}

// ReadQueries reads queries as JSON lines {"text","expected":["id",…]}. An id that no entry has is an error that names the line.
func ReadQueries(name string, from io.Reader, entries []knowledge.Entry) ([]Query, error) {
	known := map[string]bool{}
	for i := range entries {
		known[entries[i].ID] = true
	}
	var queries []Query
	err := eachLine(name, from, func(_ int, content []byte) error {
		var q Query
		if err := json.Unmarshal(content, &q); err != nil {
			return fmt.Errorf("%w: write {\"text\":…,\"expected\":[…]}", err)
		}
		if q.Text == "" {
			return errors.New("text is missing: write the question")
		}
		for _, id := range q.Expected {
			if !known[id] {
				return fmt.Errorf("expected has %q, which is the id of no entry: mend the id, or leave expected empty for a question that is out of scope", id)
			}
		}
		queries = append(queries, q)
		return nil
	})
	if err == nil && len(queries) == 0 {
		err = fmt.Errorf("%s: no query: write one in each line", name)
	}
	return queries, err
}

func eachLine(name string, from io.Reader, take func(line int, content []byte) error) error {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 0, 1<<16), longestLine)
	line := 0
	for scanner.Scan() {
		line++
		content := bytes.TrimSpace(bytes.TrimPrefix(scanner.Bytes(), []byte("\xef\xbb\xbf")))
		if len(content) == 0 {
			continue
		}
		if err := take(line, content); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, line+1, err)
	}
	return nil
}
