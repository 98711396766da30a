package protocol

import "time"

// LoadStep is the length of the steps in which arrivals are told.
const LoadStep = 15 * time.Minute

// Load is what came to a desk in a time, and how long it took: what a simulation of the desk begins with. Only
// conversations that have ended are known.
type Load struct {
	// Arrivals at the desk in steps of LoadStep from the report's From on, each conversation once; a step that ends after
	// To counts what came before it.
	Arrivals []int64 `json:"arrivals"`
	// Bots are what the bots' queue and the bots did, People what all other queues and the people did.
	Bots   Served `json:"bots"`
	People Served `json:"people"`
}

// Served is what became of those who waited for agents of one kind.
type Served struct {
	// Answered and Abandoned stays, as in a ReportRow, and HandedOff, those that the agent handed off.
	Answered  int64 `json:"answered"`
	Abandoned int64 `json:"abandoned"`
	HandedOff int64 `json:"handedOff"`
	// WaitedSeconds of all who were answered or gave up, together.
	WaitedSeconds float64 `json:"waitedSeconds"`
	// HandleMeanSeconds from the answer to the end of the agent's part, wrap-up included, and HandleQuantilesSeconds: the
	// least, then by steps of five percent, the greatest. Empty when nothing was answered.
	HandleMeanSeconds      float64   `json:"handleMeanSeconds"`
	HandleQuantilesSeconds []float64 `json:"handleQuantilesSeconds"`
}
