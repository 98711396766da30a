// Package render turns a desk or a pool into its child objects. It is pure: the
// same input gives the same objects, whoever calls it (the controllers or
// "deskfleet render"), and nothing in it reads a cluster, a clock or a random
// source. Golden pairs in testdata hold it.
package render
