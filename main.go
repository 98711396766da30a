// Deskfleet is one binary: the operator, the roles of a desk, and the tools of
// those who write and watch desks. The first argument says which.
package main

import (
	"os"

	"github.com/deskfleet/deskfleet/internal/cli"
)

func main() {
	os.Exit(cli.Main())
}
