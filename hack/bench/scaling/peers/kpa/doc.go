// Package kpa runs the pod autoscaler of Knative Serving, its unchanged decision
// and aggregation, fed each second and asked every two. Its constructor reads the
// clock, so it is made in a testing/synctest bubble. That exists in tests only:
// "go test -c" makes the program.
package kpa
