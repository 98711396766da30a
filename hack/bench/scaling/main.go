// Command scaling compares policies for the number of agents in virtual time: ours,
// which is the package that ships, static provisioning, the clairvoyant bound, and
// the peers by their own code. Two runs with one seed print the same bytes.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
