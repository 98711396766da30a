// Package layout holds tests of the whole repository: the direction of imports,
// what pure packages do without, the size of files and functions, and that the
// paths which the documentation names exist.
package layout
