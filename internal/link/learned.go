package link

import "fmt"

// Bounds of what managers learned of pools, in one report or reply. The rest comes with the next ones.
const (
	// MaxLearnedBytes of one pool.
	MaxLearnedBytes = 64 << 10
	// MaxLearnedPools at a time.
	MaxLearnedPools = 2
)

// validateLearned bounds what a desk gives back. What the bytes say is for whoever recalled them to check.
func (r *Report) validateLearned() error {
	if len(r.Learned) > MaxLearnedPools {
		return fmt.Errorf("learned has %d pools: send at most %d", len(r.Learned), MaxLearnedPools)
	}
	for pool, bytes := range r.Learned {
		if err := name(pool); err != nil {
			return fmt.Errorf("learned: %w", err)
		}
		if len(bytes) > MaxLearnedBytes {
			return fmt.Errorf("learned.%s has %d bytes: send at most %d", pool, len(bytes), MaxLearnedBytes)
		}
	}
	return nil
}
