// Package simulation is made of a contact centre in virtual time (package world)
// and the policies that scale it and need no code of others (package policy). The
// benchmark of scaling compares them with the peers' own code, and "deskfleet plan"
// answers authors what a desk would do under a load.
package simulation
