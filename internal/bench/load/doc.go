// Package load puts a desk under load with real WebSockets, as customers and as
// agents, and checks that it kept every promise while doing so.
//
// A conversation of the load is one of a new contact: the customer asks for a
// person, an agent accepts, and the two take turns, the next line following the
// answer to the last one. Then the customer reads the whole conversation back
// and ends it. What is counted:
//
//   - acknowledged: messages of either side that the desk confirmed to have stored.
//   - lost: acknowledged, and not in the conversation that is read back, or never
//     brought to the other side.
//   - duplicated: more than once in what is read back, or brought twice.
//   - reordered: behind a later one of the same sender.
//
// Latency is the time from handing a message to the client until the other side
// has it: the way to the bus, to disk, and back to a socket. Routing latency is
// the time from the customer's first message until an agent is asked.
package load
