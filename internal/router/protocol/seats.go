package protocol

import "time"

// PoolReserve are the reserve tiers of one pool.
type PoolReserve struct {
	Pool  string           `json:"pool"`
	Tiers []ReserveFigures `json:"tiers"`
}

// Plan is what a pool of people needs in the next days, step by step, as the managers have worked it out last.
type Plan struct {
	// Start of the first step, and the length of each.
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"stepSeconds"`
	// ShrinkagePercent of the scheduled time in which people are not there.
	ShrinkagePercent float64 `json:"shrinkagePercent"`
	// Arrivals that are expected; Required seats that must be there, Scheduled ones that must be on the roster for that,
	// and Rostered ones that are. -1 is not known. All lists are of one length.
	Arrivals  []float64 `json:"arrivals"`
	Required  []int     `json:"required"`
	Scheduled []int     `json:"scheduled"`
	Rostered  []int     `json:"rostered"`
}
