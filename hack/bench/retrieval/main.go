// Command retrieval measures retrieval on the development data beside the
// repository: it writes the sets as files of JSON lines to a folder and measures each
// as "deskfleet bench retrieval" does.
package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deskfleet/deskfleet/internal/bench/retrieval"
	"github.com/deskfleet/deskfleet/internal/knowledge"
)

func main() {
	data := flag.String("data", "../shared/data", "folder of the development data")
	output := flag.String("o", "table", "table or json")
	write := flag.String("write", "", "folder to write the sets to, as files for deskfleet bench retrieval")
	floor := flag.Float64("floor", 0.6, "confidence from which on the bot would answer")
	flag.Parse()
	if err := run(*data, *output, *write, *floor); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

type set struct {
	name    string
	entries []knowledge.Entry
	queries []retrieval.Query
}

func run(data, output, write string, floor float64) error {
	sets, err := read(data)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "the development data is not there, nothing is measured:", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range sets {
		if write != "" {
			if err := s.write(write); err != nil {
				return err
			}
		}
		report, err := retrieval.Run(s.entries, s.queries, floor)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("\n%s\n", s.name)
		if err := report.Write(os.Stdout, output); err != nil {
			return err
		}
	}
	return nil
}

func read(data string) ([]set, error) {
	var sets []set
	for _, draw := range []struct {
		variants, hold int
		seed           uint64
	}{{10, 0, 1}, {10, 0, 2}, {10, 13, 3}, {3, 0, 4}, {50, 6, 5}} {
		s, err := intents(data, draw.variants, draw.hold, draw.seed)
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	questions, answers, err := pairs(data)
	if err != nil {
		return nil, err
	}
	chinese, err := passages(data, 6)
	if err != nil {
		return nil, err
	}
	return append(sets, questions, answers, chinese), nil
}

func lines(data, name string) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(data, filepath.FromSlash(name)))
	return strings.Split(strings.TrimRight(string(content), "\n"), "\n"), err
}

// intents are those of HWU64 with so many variants each; those held back are out of scope.
func intents(data string, variants, hold int, seed uint64) (set, error) {
	s := set{name: fmt.Sprintf("HWU64, %d variants an intent, %d intents left out, draw %d", variants, hold, seed)}
	var files [4][]string
	for i, name := range []string{"train.seq.in", "train.label", "test.seq.in", "test.label"} {
		var err error
		if files[i], err = lines(data, "faq-en/hwu64_"+name); err != nil {
			return s, err
		}
	}
	by := map[string][]string{}
	for i, label := range files[1] {
		by[label] = append(by[label], files[0][i])
	}
	var names []string
	for name := range by {
		names = append(names, name)
	}
	slices.Sort(names)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:len(names)-hold]
	for _, name := range names {
		v := by[name]
		rng.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		s.entries = append(s.entries, knowledge.Entry{ID: name, Questions: v[:min(variants, len(v))], Language: "en"})
	}
	for i, label := range files[3] {
		q := retrieval.Query{Text: files[2][i]}
		if slices.Contains(names, label) {
			q.Expected = []string{label}
		}
		s.queries = append(s.queries, q)
	}
	return s, nil
}

// pairs are the COVID questions: by the questions that people judged the same, and as passages by their own question.
func pairs(data string) (questions, answers set, err error) {
	questions.name, answers.name = "COVID questions, one variant each", "COVID answers as passages"
	rows, err := table(data, "faq-en/covid_faq_covidbert.csv")
	if err != nil {
		return questions, answers, err
	}
	ids := map[string][]string{}
	for i, row := range rows {
		id, question := fmt.Sprint("covid-", i), strings.TrimSpace(row[0])
		ids[question] = append(ids[question], id)
		questions.entries = append(questions.entries, knowledge.Entry{ID: id, Questions: []string{question}, Answer: row[1], Language: "en"})
		answers.entries = append(answers.entries, knowledge.Entry{ID: id, Answer: row[1], Language: "en"})
	}
	for i := range questions.entries {
		question := questions.entries[i].Questions[0]
		answers.queries = append(answers.queries, retrieval.Query{Text: question, Expected: ids[question]})
	}
	rows, err = table(data, "faq-en/covid_eval_question_similarity_en.csv")
	for _, row := range rows {
		if want := ids[strings.TrimSpace(row[0])]; row[2] == "1" && want != nil {
			questions.queries = append(questions.queries, retrieval.Query{Text: row[1], Expected: want})
		}
	}
	return questions, answers, err
}

func table(data, name string) ([][]string, error) {
	content, err := os.ReadFile(filepath.Join(data, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(fmt.Errorf("%s has no rows", name), err)
	}
	return rows[1:], nil
}

// passages are those of CMRC 2018; one in hold is out of scope.
func passages(data string, hold int) (set, error) {
	s := set{name: "CMRC 2018, Chinese passages, a sixth left out"}
	content, err := os.ReadFile(filepath.Join(data, "faq-zh", "cmrc2018_dev.json"))
	if err != nil {
		return s, err
	}
	var file struct {
		Data []struct {
			Paragraphs []struct {
				ID, Context string
				QAs         []struct{ Question string } `json:"qas"`
			}
		}
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return s, err
	}
	i := 0
	for _, d := range file.Data {
		for _, p := range d.Paragraphs {
			i++
			var expected []string
			if i%hold != 0 {
				s.entries = append(s.entries, knowledge.Entry{ID: p.ID, Answer: p.Context, Language: "zh"})
				expected = []string{p.ID}
			}
			for _, q := range p.QAs {
				s.queries = append(s.queries, retrieval.Query{Text: q.Question, Expected: expected})
			}
		}
	}
	return s, nil
}

// write puts the set into two files of JSON lines.
func (s *set) write(folder string) error {
	name := strings.Map(func(r rune) rune {
		if r == ' ' || r == ',' {
			return '-'
		}
		return r
	}, s.name)
	var entries, queries bytes.Buffer
	encoder := json.NewEncoder(&entries)
	for i := range s.entries {
		e := &s.entries[i]
		if err := encoder.Encode(map[string]any{"id": e.ID, "questions": e.Questions, "answer": e.Answer, "lang": e.Language}); err != nil {
			return err
		}
	}
	encoder = json.NewEncoder(&queries)
	for _, q := range s.queries {
		if err := encoder.Encode(q); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, name+".entries.jsonl"), entries.Bytes(), 0o600),
		os.WriteFile(filepath.Join(folder, name+".queries.jsonl"), queries.Bytes(), 0o600),
	)
}
