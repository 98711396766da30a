package localcluster

import "golang.org/x/sys/unix"

// unmount detaches at once, also a mount that a process still uses.
func unmount(path string) error {
	return unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
}
