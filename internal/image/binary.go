package image

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// architectureOf reads from a binary which architecture its image is for. A
// binary that could not start in an image without a C library is refused here:
// the container runtime would only say "no such file or directory".
func architectureOf(binary []byte) (string, error) {
	file, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return "", fmt.Errorf("the binary is no Linux program: build it with GOOS=linux: %w", err)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return "", errors.New("the binary needs a dynamic linker, which the image does not have: build it with CGO_ENABLED=0")
		}
	}
	switch {
	case file.Machine == elf.EM_X86_64 && file.Class == elf.ELFCLASS64:
		return "amd64", nil
	case file.Machine == elf.EM_AARCH64 && file.Class == elf.ELFCLASS64:
		return "arm64", nil
	}
	return "", fmt.Errorf("the binary is for %s: build it with GOARCH=amd64 or GOARCH=arm64", file.Machine)
}
