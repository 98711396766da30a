// Package fault proves that a desk is exact whatever happens to its processes: they are really killed, stopped,
// cut off and put on full disks while customers and agents talk over real WebSockets, and package ledger reads
// everything that the bus stored. The package is made of tests; docs/reliability.md says what they show and how to run
// the long ones.
package fault
