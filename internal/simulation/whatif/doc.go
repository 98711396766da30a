// Package whatif answers what a desk would do under a load: how customers would
// be served by its bots, scaled by the package that ships, and by the people behind
// them, how many of each it takes, and what limits first. It is pure: the desk, the
// load and a seed go in, an [Answer] comes out, the same for the same.
//
// There are two stages, each of them a world of its own: the bots of a pool answer
// what arrives, and when a bot is done with a conversation that it hands off, the
// conversation comes to people. What is assumed stands in the answer.
package whatif
