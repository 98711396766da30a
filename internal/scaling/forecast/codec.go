package forecast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// MaxEncoded is the greatest number of bytes that an encoded history has: three a bin at the most and the frame. A pool
// of a few hundred conversations an hour takes about a third.
const MaxEncoded = Days*(BinsPerDay*3+12) + 32

const historyVersion = 1

// errHistory says that stored bytes are no history.
var errHistory = errors.New("stored arrivals cannot be read: remove them, and they are learned again")

// AppendBinary appends the history: a version, the days in order, each with its
// number and for each bin the difference to the one before, and a checksum. A
// missing bin is 0. The bin that is being filled is not in it.
func (h *History) AppendBinary(to []byte) ([]byte, error) {
	start := len(to)
	var days []*day
	for _, d := range h.days {
		if d != nil {
			days = append(days, d)
		}
	}
	slices.SortFunc(days, func(a, b *day) int { return int(a.number - b.number) })
	to = append(to, historyVersion)
	to = binary.AppendUvarint(to, uint64(len(days)))
	for _, d := range days {
		to = binary.AppendVarint(to, d.number)
		before := int64(0)
		for _, code := range d.bins {
			if code == missing {
				to = append(to, 0)
				continue
			}
			difference := int64(code) - before
			// Zigzag, and one more, since 0 is a missing bin.
			to = binary.AppendUvarint(to, uint64(difference<<1^difference>>63)+1) //nolint:gosec // not negative
			before = int64(code)
		}
	}
	return binary.BigEndian.AppendUint32(to, crc32.ChecksumIEEE(to[start:])), nil
}

// MarshalBinary is [History.AppendBinary] into new bytes.
func (h *History) MarshalBinary() ([]byte, error) { return h.AppendBinary(nil) }

// UnmarshalBinary takes the history from stored bytes. On an error the history is as before.
func (h *History) UnmarshalBinary(from []byte) error {
	if len(from) > MaxEncoded {
		return fmt.Errorf("%w: %d bytes are more than the %d of any history", errHistory, len(from), MaxEncoded)
	}
	if len(from) < 6 || from[0] != historyVersion {
		return fmt.Errorf("%w: the first byte is not that of version %d", errHistory, historyVersion)
	}
	body, sum := from[:len(from)-4], binary.BigEndian.Uint32(from[len(from)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return fmt.Errorf("%w: the checksum is wrong", errHistory)
	}
	r := reader{rest: body[1:]}
	read := History{}
	days := r.unsigned()
	if days > Days {
		return fmt.Errorf("%w: it has %d days, at most %d are kept", errHistory, days, Days)
	}
	for range days {
		number := r.signed()
		if number < 0 || number > 1<<24 {
			return fmt.Errorf("%w: day %d is none", errHistory, number)
		}
		before := int64(0)
		for i := range int64(BinsPerDay) {
			zigzag := r.unsigned()
			if zigzag == 0 {
				continue
			}
			zigzag--
			before += int64(zigzag>>1) ^ -int64(zigzag&1) // a sum that leaves the range is refused below
			if before < 0 || before >= missing {
				return fmt.Errorf("%w: bin %d of day %d is no count", errHistory, i, number)
			}
			read.set(number*BinsPerDay+i, uint16(before))
		}
	}
	if r.failed || len(r.rest) > 0 {
		return fmt.Errorf("%w: it ends too early or too late", errHistory)
	}
	*h = read
	return nil
}

// reader takes numbers from bytes; after the first that is none it gives zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) unsigned() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}
