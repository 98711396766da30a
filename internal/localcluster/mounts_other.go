//go:build !linux

package localcluster

import "errors"

func unmount(string) error { return errors.New("the local cluster needs Linux") }
