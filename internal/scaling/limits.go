package scaling

import (
	"math"
	"time"
)

// panicking is a burst: more is made at once, and nobody leaves.
type panicking struct {
	// last is when there was a reason for it; zero for none. Most is the greatest need since it began.
	last time.Time
	most int
}

// update says whether the pool panics now.
func (p *panicking) update(now time.Time, reason bool, need int, lead time.Duration) bool {
	if reason {
		p.last = now
	}
	if p.last.IsZero() || now.Sub(p.last) > max(time.Minute, lead) || now.Before(p.last) {
		*p = panicking{}
		return false
	}
	p.most = max(p.most, need)
	return true
}

// allowance is by how many workers a pool may shrink: so many percent a minute, at least one.
type allowance struct {
	last time.Time
	left float64
}

// permit is how many may leave now.
func (a *allowance) permit(now time.Time, current, percent int) int {
	if percent >= 100 {
		return current
	}
	minute := max(1, float64(current)*float64(percent)/100)
	if a.last.IsZero() || now.Before(a.last) {
		a.left = minute
	} else {
		a.left = min(minute, a.left+minute*now.Sub(a.last).Minutes())
	}
	a.last = now
	return int(a.left + 1e-9)
}

func (a *allowance) use(n int) { a.left = max(0, a.left-float64(n)) }

// spending of a day's budget.
type spending struct {
	last  time.Time
	day   int64 // of the calendar's location, since 1970
	hours float64
	// share of what is needed from now on that the budget pays for, worked out once in a bin of five minutes.
	share float64
	bin   int64
}

const day = 24 * time.Hour

// spend takes the time since the last decision into account.
func (b *spending) spend(s *Settings, now time.Time, running int) {
	_, offset := now.In(s.location()).Zone()
	today := (now.Unix() + int64(offset)) / int64(day/time.Second)
	if b.day != today {
		*b = spending{day: today, last: now}
	}
	if passed := now.Sub(b.last); passed > 0 && passed < time.Hour {
		b.hours += passed.Hours() * float64(running)
	}
	b.last = now
}

// cap is how many workers the budget allows now, and whether that is less than needed. What is left is spread over the
// need that is expected until midnight, so that it is scarce in the valley and not gone by the evening.
func (b *spending) cap(in *Input, k *Knowledge, need int) (most int, limits bool) {
	s := &in.Settings
	if s.Budget == nil {
		return need, false
	}
	if bin := in.Now.Unix() / 300; bin != b.bin {
		b.bin, b.share = bin, b.affordable(in, k, need)
	}
	if b.hours >= s.Budget.AgentHours {
		b.share = 0
	}
	if b.share >= 1 {
		return need, false
	}
	most = int(math.Floor(float64(need)*b.share + 1e-9))
	return most, most < need
}

// affordable is the share of the expected need for the rest of the day that what is left pays for.
func (b *spending) affordable(in *Input, k *Knowledge, need int) float64 {
	s := &in.Settings
	left := max(0, s.Budget.AgentHours-b.hours)
	location := s.location()
	year, month, date := in.Now.In(location).Date()
	midnight := time.Date(year, month, date+1, 0, 0, 0, 0, location)
	hours := 0.0
	const step = 15 * time.Minute
	for at := in.Now; at.Before(midnight); at = at.Add(step) {
		workers := need
		if k != nil {
			if rate, ok := k.forecaster(s.Calendar).Expected(in.Now, at); ok {
				factor, announced, _ := s.announced(at)
				load := max(rate*factor, announced) * k.HandleTime()
				workers = k.size(s, demand{mean: load, variance: load})
			}
		}
		floor, _ := s.floor(at, 0)
		hours += float64(max(workers, floor)) * min(step, midnight.Sub(at)).Hours()
	}
	if hours <= 0 {
		return 1
	}
	return left / hours
}
