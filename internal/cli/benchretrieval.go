package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/deskfleet/deskfleet/internal/bench/retrieval"
)

func newBenchRetrieval() *cobra.Command {
	var entries, queries, output string
	var floor float64
	cmd := &cobra.Command{
		Use:   "retrieval --entries FILE --queries FILE",
		Short: "Measure how well the bots find answers, beside plain BM25",
		Long: `Retrieval indexes entries and asks queries of them, as the knowledge role does, and prints
how often the first entry is right, how true its confidence is, how fast it comes and how
much memory the index takes; beside it, in the same run, plain BM25 (bleve).

Both files are JSON lines:

  entries   {"id": "returns", "questions": ["How do I return an item?"], "answer": "…", "lang": "en"}
  queries   {"text": "send it back", "expected": ["returns"]}

Questions may be empty: the entry is a passage. Expected is empty for a question that is out
of scope.`,
		Args: nothing(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case entries == "" || queries == "":
				return errors.New("--entries and --queries are both needed: name two files of JSON lines")
			case floor < 0 || floor > 1:
				return fmt.Errorf("--floor is %g: use 0 to 1", floor)
			case output != "table" && output != "json":
				return fmt.Errorf("--output is %q: use table or json", output)
			}
			list, err := readFile(entries, retrieval.ReadEntries)
			if err != nil {
				return err
			}
			asked, err := readFile(queries, func(name string, from io.Reader) ([]retrieval.Query, error) {
				return retrieval.ReadQueries(name, from, list)
			})
			if err != nil {
				return err
			}
			report, err := retrieval.Run(list, asked, floor)
			if err != nil {
				return err
			}
			return report.Write(cmd.OutOrStdout(), output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&entries, "entries", "", "file of entries, JSON lines")
	f.StringVar(&queries, "queries", "", "file of queries, JSON lines")
	f.Float64Var(&floor, "floor", 0.6, "confidence from which on the bot would answer, 0 to 1")
	f.StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// readFile reads a file that a reader understands; errors name it.
func readFile[T any](name string, read func(name string, from io.Reader) (T, error)) (T, error) {
	file, err := os.Open(name)
	if err != nil {
		var none T
		return none, err
	}
	defer func() { _ = file.Close() }()
	return read(name, file)
}
