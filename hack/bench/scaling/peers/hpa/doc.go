// Package hpa runs the HorizontalPodAutoscaler of Kubernetes, its unchanged
// controller, in the virtual time of a testing/synctest bubble. That exists in
// tests only: "go test -c" makes the program.
package hpa
