// Package link is what a desk's leading router and the managers say to each
// other: the type of both sides. Packages link/client and link/server are the
// sides.
//
// The manager never dials a desk. The leading router posts a [Report] over HTTPS
// to every manager: on change at most once a second, else every five. Every
// manager keeps the reports, so that a new leader begins with warm figures; only
// the leader's [Reply] carries what the desk should do: the configuration, when
// the desk runs another one, and how many workers of each pool are to be active.
//
// Who reports is proven by a projected ServiceAccount token of audience
// [Audience], which is worthless at the API server. Its namespace and account
// bound what may be reported: a desk speaks for itself alone.
//
// Fields are only ever added. Both sides ignore what they do not know, so that
// neighbouring releases work together.
package link
