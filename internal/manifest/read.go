package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MaxInputBytes is the greatest size of one file or of standard input: far more
// than any set of manifests, far less than what would exhaust memory.
const MaxInputBytes = 32 << 20

// input is one file, or standard input, in memory.
type input struct {
	name string
	data []byte
}

// stdinPath stands for standard input among paths, as with kubectl.
const stdinPath = "-"

// read collects the inputs that paths name; each file is read once, however
// many paths lead to it.
func read(paths []string, stdin io.Reader) ([]input, Errors) {
	var inputs []input
	var errs Errors
	seen := map[string]bool{}
	for _, path := range paths {
		files, err := expand(path)
		if err != nil {
			errs = append(errs, &Error{File: path, Message: err.Error()})
			continue
		}
		for _, file := range files {
			if seen[file] {
				continue
			}
			seen[file] = true
			in, err := readOne(file, stdin)
			if err != nil {
				errs = append(errs, &Error{File: in.name, Message: err.Error()})
				continue
			}
			inputs = append(inputs, in)
		}
	}
	return inputs, errs
}

// expand lists the files that a path stands for: itself, or, sorted, the
// manifests below a folder.
func expand(path string) ([]string, error) {
	if path == stdinPath {
		return []string{stdinPath}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(err)
	}
	path = filepath.Clean(path)
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	// The trailing dot makes the walk enter a folder that is given as a symbolic link.
	err = filepath.WalkDir(path+string(filepath.Separator)+".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && isManifest(file) {
			files = append(files, filepath.Clean(file))
		}
		return nil
	})
	if err != nil {
		return nil, plain(err)
	}
	if len(files) == 0 {
		return nil, errors.New("no *.yaml, *.yml or *.json file in this folder or below it: name the folder that holds the manifests")
	}
	slices.Sort(files)
	return files, nil
}

func isManifest(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

func readOne(file string, stdin io.Reader) (input, error) {
	if file == stdinPath {
		in := input{name: "stdin"}
		if stdin == nil {
			return in, errors.New("standard input was asked for with -, but there is none")
		}
		var err error
		in.data, err = readBounded(stdin)
		return in, err
	}
	in := input{name: file}
	f, err := os.Open(file)
	if err != nil {
		return in, plain(err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	in.data, err = readBounded(f)
	return in, plain(err)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxInputBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxInputBytes {
		return nil, fmt.Errorf("larger than %d MiB: split it into several files", MaxInputBytes>>20)
	}
	return data, nil
}

// plain drops "open <path>" from an error of the file system, as the path
// stands in front of each message anyway.
func plain(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
