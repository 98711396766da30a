// Package status turns the outcome of a reconcile into conditions, a result and
// events. It is the only writer of conditions. Three kinds of errors say who
// acts next: transient ones the operator, waiting ones the rest of the cluster,
// terminal ones a person.
package status
