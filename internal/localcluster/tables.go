package localcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// deleteTables removes the nftables tables that came with the cluster and the
// portmap plugin's rules.
func (c *cluster) deleteTables(ctx context.Context, before hostState) error {
	now, err := nftTables(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, table := range []string{"inet " + c.guardTable(), "ip kube-proxy", "ip6 kube-proxy"} {
		if slices.Contains(now, table) && !slices.Contains(before.Tables, table) {
			_, err := run(ctx, "nft", append([]string{"delete", "table"}, strings.Fields(table)...)...)
			errs = append(errs, err)
		}
	}
	for _, name := range []string{"nat", "filter", "mangle", "raw"} {
		if table := "ip " + name; slices.Contains(now, table) {
			errs = append(errs, c.cleanIPTable(ctx, name, !slices.Contains(before.Tables, table)))
		}
	}
	return errors.Join(errs...)
}

// cleanIPTable takes the portmap plugin's rules out of a table of iptables, and
// the table away if it came with the cluster and nobody else uses it.
func (c *cluster) cleanIPTable(ctx context.Context, name string, cameWithCluster bool) error {
	saved, err := run(ctx, "iptables-save", "-t", name)
	if err != nil {
		return err
	}
	if script := portmapCleanup(string(saved), name, c.Name); script != "" {
		if _, err := runInput(ctx, []byte(script), "iptables-restore", "--noflush"); err != nil {
			return fmt.Errorf("remove the host ports' rules: %w", err)
		}
		if saved, err = run(ctx, "iptables-save", "-t", name); err != nil {
			return err
		}
	}
	if cameWithCluster && unusedTable(string(saved)) {
		_, err = run(ctx, "nft", "delete", "table", "ip", name)
	}
	return err
}

// The chains of the CNI portmap plugin: one a container with host ports, whose
// rule in the shared chain carries the network's name, and shared ones, which
// the plugin itself never removes.
const (
	portmapContainerChain = "CNI-DN-"
	portmapSharedChain    = "CNI-HOSTPORT-"
)

// portmapCleanup returns a script for "iptables-restore --noflush" that removes
// a network's host ports from a table given as iptables-save prints it, and the
// plugin's shared chains once no other network uses them. Empty: nothing to do.
func portmapCleanup(saved, table, network string) string {
	owner := fmt.Sprintf(`name: \"%s\" id:`, network)
	own, foreign := map[string]bool{}, false
	for line := range strings.Lines(saved) {
		if target := jumpTarget(line); strings.HasPrefix(target, portmapContainerChain) {
			if strings.Contains(line, owner) {
				own[target] = true
			} else {
				foreign = true
			}
		}
	}
	remove := func(chain string) bool {
		return own[chain] || !foreign && strings.HasPrefix(chain, portmapSharedChain)
	}
	var rules, chains []string
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		if rule, ok := strings.CutPrefix(line, "-A "); ok {
			from, _, _ := strings.Cut(rule, " ")
			if remove(from) || remove(jumpTarget(line)) {
				rules = append(rules, "-D "+rule)
			}
		} else if rest, ok := strings.CutPrefix(line, ":"); ok {
			if chain, _, _ := strings.Cut(rest, " "); remove(chain) {
				chains = append(chains, "-X "+chain)
			}
		}
	}
	if len(rules)+len(chains) == 0 {
		return ""
	}
	return "*" + table + "\n" + strings.Join(append(rules, chains...), "\n") + "\nCOMMIT\n"
}

func jumpTarget(rule string) string {
	fields := strings.Fields(rule)
	if i := slices.Index(fields, "-j"); i >= 0 && i+1 < len(fields) {
		return fields[i+1]
	}
	return ""
}

// unusedTable reports whether iptables-save printed neither a rule nor a user's
// chain (built-in ones have a policy, user chains a dash).
func unusedTable(saved string) bool {
	for line := range strings.Lines(saved) {
		if strings.HasPrefix(line, "-A ") || strings.HasPrefix(line, ":") && strings.Fields(line)[1] == "-" {
			return false
		}
	}
	return true
}
