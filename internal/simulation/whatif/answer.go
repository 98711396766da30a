package whatif

import (
	"time"

	"github.com/deskfleet/deskfleet/internal/simulation"
)

// Estimate is the mean over the draws with the half width of its 95 % confidence interval; 0 for a single draw.
type Estimate struct {
	Mean      float64 `json:"mean"`
	PlusMinus float64 `json:"plusMinus"`
}

func estimate(values []float64) Estimate {
	mean, half := simulation.Interval(values)
	return Estimate{mean, half}
}

// PoolType says what the agents of a pool are.
type PoolType string

// Types of pools.
const (
	TypeBot   PoolType = "Bot"
	TypeHuman PoolType = "Human"
)

// LimitName names what keeps a pool from what it needs.
type LimitName string

// Limits.
const (
	// LimitMax is scaling.max, LimitCap the cap of a running peak, LimitBudget the agent-hours of the day.
	LimitMax    LimitName = "max"
	LimitCap    LimitName = "cap"
	LimitBudget LimitName = "budget"
	// LimitQuota is the number of workers that the namespace allows.
	LimitQuota LimitName = "quota"
	// LimitReplicas is the fixed number of workers of a pool without scaling.
	LimitReplicas LimitName = "replicas"
	// LimitSeats are the people who are signed on.
	LimitSeats LimitName = "seats"
)

// Answer to a question. Shares are from 0 to 1.
type Answer struct {
	Desk string `json:"desk"`
	// From and To of the simulated time, in the desk's zone.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Draws of the load, from Seed on.
	Draws int    `json:"draws"`
	Seed  uint64 `json:"seed"`
	// Conversations that arrive at the desk.
	Conversations Estimate `json:"conversations"`
	Pools         []Pool   `json:"pools"`
	// Holds says that each pool keeps its objective.
	Holds   bool   `json:"holds"`
	Verdict string `json:"verdict"`
	// Assumed is what was assumed, in words.
	Assumed []string `json:"assumed"`
}

// Objective of a pool.
type Objective struct {
	Share          float64 `json:"share"`
	WithinSeconds  float64 `json:"withinSeconds"`
	MaxAbandonment float64 `json:"maxAbandonment"`
}

// Pool with what is predicted of it.
type Pool struct {
	Name      string    `json:"name"`
	Type      PoolType  `json:"type"`
	Objective Objective `json:"objective"`
	// Conversations that come to it.
	Conversations Estimate `json:"conversations"`
	// ServiceLevel is the share of them answered in time, Abandonment the share given up.
	ServiceLevel Estimate `json:"serviceLevel"`
	Abandonment  Estimate `json:"abandonment"`
	P95Wait      Estimate `json:"p95WaitSeconds"`
	AgentHours   Estimate `json:"agentHours"`
	// PeakAgents is the greatest number that serves at once, PeakRequired the greatest that is required, from PeakAt on.
	PeakAgents   Estimate  `json:"peakAgents"`
	PeakRequired int       `json:"peakRequired"`
	PeakAt       time.Time `json:"peakAt"`
	// Met says that the objective is kept; Close that another draw might say otherwise.
	Met   bool `json:"met"`
	Close bool `json:"close"`
	// Limit that bites first; nil when none does. Limits are all that bite, in the order of their time.
	Limit  *Limit  `json:"limit,omitempty"`
	Limits []Limit `json:"limits,omitempty"`
	// Quarters of an hour, in order.
	Quarters []Curve `json:"quarters"`
}

// Limit that keeps a pool from what it needs.
type Limit struct {
	Name LimitName `json:"name"`
	// Value of the limit, such as the number of max; 0 where it is no one number.
	Value float64 `json:"value,omitempty"`
	// First is when it bites first in any draw, Hours for how long it does on average, Draws in how many draws.
	First time.Time `json:"first"`
	Hours float64   `json:"hours"`
	Draws int       `json:"draws"`
	// Without is the service level and the abandonment without this limit; nil where it was not worked out, as another
	// limit bites first.
	Without *Without `json:"without,omitempty"`
}

// Without a limit.
type Without struct {
	ServiceLevel Estimate `json:"serviceLevel"`
	Abandonment  Estimate `json:"abandonment"`
	AgentHours   Estimate `json:"agentHours"`
}

// Curve is a quarter of an hour of a pool, on average over the draws.
type Curve struct {
	Start time.Time `json:"start"`
	// Arrivals of the pool, Required agents for its objective, and Agents that serve.
	Arrivals float64 `json:"arrivals"`
	Required int     `json:"required"`
	Agents   float64 `json:"agents"`
	// ServiceLevel and Abandonment of those who arrived then; nil when nobody did.
	ServiceLevel *float64 `json:"serviceLevel,omitempty"`
	Abandonment  *float64 `json:"abandonment,omitempty"`
}
