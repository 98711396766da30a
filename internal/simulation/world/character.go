package world

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// Character is how a desk differs from the usual one. The zero value does not.
type Character struct {
	// Handle is the mean handle time in seconds and Variation its squared coefficient of variation; 0 for the usual ones.
	Handle, Variation float64
	// Curve is how busy a time of a day is, by the clock; nil for the usual one. It need not have any particular mean.
	Curve func(hour float64) float64
	// Week is how busy a day of the week is; nil for the usual one.
	Week func(time.Weekday) float64
	// Wave draws factors of the rate, about 1 on average, each for [waveSeconds]; nil for none.
	Wave func(r *rand.Rand, steps int) []float64
}

const waveSeconds = 15

// curve are the shares of each five minutes in the arrivals of a day, together about 1 on a usual day.
func (c *Character) curve(day time.Time) []float64 {
	if c.Curve == nil {
		shares := Typical(day)
		for i := range shares {
			shares[i] /= shapeHours * 12
		}
		return shares
	}
	sum := 0.0
	shares := along(day, c.Curve)
	for _, x := range shares {
		sum += x
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// along are the values of a curve of the wall clock each five minutes of a day.
func along(day time.Time, curve func(hour float64) float64) []float64 {
	var values []float64
	for at, end := day, day.AddDate(0, 0, 1); at.Before(end); at = at.Add(5 * time.Minute) {
		hour, minute, _ := at.Clock()
		values = append(values, curve(float64((hour*60+minute)/5)/12))
	}
	return values
}

func (c *Character) week(day time.Weekday) float64 {
	if c.Week != nil {
		return c.Week(day)
	}
	return OfWeek(day)
}

// handleTime is the logarithm's mean and deviation of handle times.
func (c *Character) handleTime() (mu, sigma float64) {
	mean, variation := cmp.Or(c.Handle, meanHandle), cmp.Or(c.Variation, meanHandle*meanHandle/medianHandle/medianHandle-1)
	sigma = math.Sqrt(math.Log1p(variation))
	return math.Log(mean) - sigma*sigma/2, sigma
}

// bursts is a wave of two states (an on-off process): a burst is so many times the rate
// between bursts, and both last for exponential times of so many seconds on average.
func bursts(factor, lasting, between float64) func(*rand.Rand, int) []float64 {
	quiet := (lasting + between) / (factor*lasting + between)
	return func(r *rand.Rand, steps int) []float64 {
		wave := make([]float64, steps)
		on, left := r.Float64() < lasting/(lasting+between), 0.0
		for i := range wave {
			for left <= 0 {
				on = !on
				left += r.ExpFloat64() * map[bool]float64{true: lasting, false: between}[on]
			}
			left -= waveSeconds
			if wave[i] = quiet; on {
				wave[i] = quiet * factor
			}
		}
		return wave
	}
}

// selfSimilar is a wave that is alike on all scales from hours to a quarter of a minute: a cascade, in which each
// half of a time has a random part of what the whole has (a binomial multifractal with parts of 1/2 ± spread).
func selfSimilar(spread float64) func(*rand.Rand, int) []float64 {
	return func(r *rand.Rand, steps int) []float64 {
		wave := []float64{1}
		for len(wave) < steps {
			finer := make([]float64, 0, 2*len(wave))
			for _, w := range wave {
				d := spread * (2*r.Float64() - 1)
				finer = append(finer, w*(1+2*d), w*(1-2*d))
			}
			wave = finer
		}
		return wave[:steps]
	}
}

// sawtooth is a day of a desk whose messages go out with each hour: everybody answers at once, and fewer and fewer after that.
func sawtooth(hour float64) float64 {
	part := hour - math.Floor(hour)
	if hour < 7 || hour >= 22 {
		return 0.1
	}
	return 0.35 + 1.8*math.Exp(-part*60/12)
}

// officeHours is a day of a call centre that opens at eight, is quieter at noon, and closes at six.
func officeHours(hour float64) float64 {
	if hour < 8 || hour >= 18 {
		return 0.01
	}
	hump := func(at, width float64) float64 { return math.Exp(-(hour - at) * (hour - at) / (2 * width * width)) }
	return 0.35 + hump(9.5, 1.2) + 0.8*hump(14.5, 1.6) - 0.25*hump(12.5, 0.5)
}

func workingDays(day time.Weekday) float64 {
	if day == time.Saturday || day == time.Sunday {
		return 0.05
	}
	return OfWeek(day)
}

// wave of a day of so many five minutes; nil for none.
func (c *Character) wave(r *rand.Rand, bins int) []float64 {
	if c.Wave == nil {
		return nil
	}
	return c.Wave(r, bins*300/waveSeconds)
}

// mean of a wave in five minutes; 1 without one.
func mean(wave []float64, bin int) float64 {
	if wave == nil {
		return 1
	}
	const steps = 300 / waveSeconds
	sum := 0.0
	for _, w := range wave[bin*steps:][:steps] {
		sum += w
	}
	return sum / steps
}
