package lift

import "time"

// Scaling is what changes the capacity of a fleet by itself (behaviour 2.17).
type Scaling struct {
	FleetID  FleetID
	Region   string
	Policies []ScalingPolicy // in the order of their creation
	Made     int             // policies made so far
	SampleAt time.Time       // when the policies are weighed next; zero while they are not
}

// ScalingPolicy changes the capacity of a fleet when a metric says so: a rule,
// or a target.
type ScalingPolicy struct {
	Name   string
	Number int // of the fleet's policies, counted from 1
	Metric Metric

	Target float64 // percent of the game sessions to keep available, 1 to 99; 0: a rule

	Comparison Comparison     `json:",omitempty"`
	Threshold  float64        `json:",omitempty"`
	Periods    int            `json:",omitempty"` // minutes that must breach one after the other
	Adjustment AdjustmentType `json:",omitempty"`
	Amount     int            `json:",omitempty"` // instances, or percent

	Breaches int       // minutes, up to now
	FiredAt  time.Time // a rule fires no more for a while
}

// Metric is something that scaling policies can watch (behaviour 2.17 and 9).
type Metric string

const (
	ActivatingGameSessions       Metric = "ActivatingGameSessions"
	ActiveGameSessions           Metric = "ActiveGameSessions"
	ActiveInstances              Metric = "ActiveInstances"
	AvailableGameSessions        Metric = "AvailableGameSessions"
	AvailablePlayerSessions      Metric = "AvailablePlayerSessions"
	ConcurrentActivatable        Metric = "ConcurrentActivatableGameSessions"
	CurrentPlayerSessions        Metric = "CurrentPlayerSessions"
	IdleInstances                Metric = "IdleInstances"
	PercentAvailableGameSessions Metric = "PercentAvailableGameSessions"
	PercentIdleInstances         Metric = "PercentIdleInstances"
	QueueDepth                   Metric = "QueueDepth"
	WaitTime                     Metric = "WaitTime"
)

// Queues reports whether the metric is about placements and not about what the
// fleet has.
func (m Metric) Queues() bool { return m == QueueDepth || m == WaitTime }

// Comparison is how a rule compares its metric with its threshold.
type Comparison string

const (
	AtLeast Comparison = "GreaterThanOrEqualToThreshold"
	Above   Comparison = "GreaterThanThreshold"
	Below   Comparison = "LessThanThreshold"
	AtMost  Comparison = "LessThanOrEqualToThreshold"
)

// AdjustmentType is what the amount of a rule means.
type AdjustmentType string

const (
	ExactCapacity   AdjustmentType = "ExactCapacity"
	ChangeInNumber  AdjustmentType = "ChangeInCapacity"
	ChangeInPercent AdjustmentType = "PercentChangeInCapacity"
)
