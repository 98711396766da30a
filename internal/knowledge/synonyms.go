package knowledge

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// synonyms finds members of synonym groups in analysed text. A found member adds the feature of its group to what the text has anyway, so a
// group helps and never takes a match away.
type synonyms struct {
	byFirst map[uint64][]synonym // by the key of the first unit
}

type synonym struct {
	rest  []uint64 // keys of the units after the first
	group uint64   // key of the group's feature
}

// newSynonyms analyses the groups. A group needs two members, a member a letter or digit.
func newSynonyms(groups [][]string) (*synonyms, error) {
	s := &synonyms{byFirst: map[uint64][]synonym{}}
	x := extractor{}
	for i, members := range groups {
		if len(members) < 2 {
			return nil, fmt.Errorf("synonyms[%d] has %d member(s): list at least two terms that mean the same, or remove the group", i, len(members))
		}
		mark := binary.BigEndian.AppendUint32([]byte{groupMark}, uint32(i))
		group := hashBytes(fnvOffset, mark)
		for j, member := range members {
			x.extract(member, maxQueryUnits)
			if len(x.keys) == 0 {
				return nil, fmt.Errorf("synonyms[%d][%d] %q has no letter or digit: write a term or remove it", i, j, member)
			}
			s.byFirst[x.keys[0]] = append(s.byFirst[x.keys[0]], synonym{slices.Clone(x.keys[1:]), group})
		}
	}
	return s, nil
}

// appendGroups appends the features of the groups that the text with these unit keys holds a member of.
func (s *synonyms) appendGroups(dst []feature, keys []uint64) []feature {
	if s == nil || len(s.byFirst) == 0 {
		return dst
	}
	for i, key := range keys {
		for _, m := range s.byFirst[key] {
			if rest := keys[i+1:]; len(m.rest) <= len(rest) && slices.Equal(m.rest, rest[:len(m.rest)]) {
				dst = append(dst, feature{m.group, classSynonym})
			}
		}
	}
	return dst
}
