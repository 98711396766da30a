// Package plan decides what a desk, a pool, a knowledge base and a policy come
// to when they are looked at together: the input of the renderer, and the
// problems that no single object shows. It is pure: the controllers and
// "deskfleet render" call the same functions.
//
// A problem never stops the plan. What is broken is left out, or kept as it
// last was, and the rest is rendered: a desk with one bad reference still serves.
package plan
