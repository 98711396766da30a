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
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
