// Package capacity is the loop that turns the figures of desks into what is
// wanted of their pools: the table of all pools of a leading manager, looked at
// once a second without a call to the API server.
//
// It decides, and others act. The controller of a pool puts the pool into the
// table, is told when something about it changed, and then writes: replicas,
// pods that are given up, status. The link asks it what to answer a desk: how
// many workers of each pool are to be active, and which configuration runs.
//
// The controller of a desk puts the desk into the table in the same way, and is
// told when what customers see of it is worth a look: whether it reports, what
// fills up, and figures that changed, at most twice a minute.
//
// What was learned of a pool is kept by its desk, and recalled by a manager that
// takes the lead. The loop holds nothing else that cannot be lost: such a manager
// finds the workers in the cluster and takes them for needed, until the figures of
// a minute say otherwise.
package capacity
