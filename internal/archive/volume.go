package archive

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// volume measures the volume that a folder lies on: what an ordinary process may still write, and its size.
func volume(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("measure the volume of %s: %w", dir, err)
	}
	return product(s.Bavail, s.Bsize), product(s.Blocks, s.Bsize), nil
}

// product of two numbers whose types differ from system to system.
func product[A uint64 | int64, B int64 | uint32](blocks A, size B) int64 {
	return int64(blocks) * int64(size)
}
