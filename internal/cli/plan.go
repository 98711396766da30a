package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/simulation/whatif"
)

// outputCSV is the curve of quarters of an hour.
const outputCSV = "csv"

// errObjective ends a check that found an objective that does not hold.
var errObjective = errors.New("the objective does not hold, see the last line")

type planOptions struct {
	files         []string
	desk          string
	trace         string
	fromArchive   string
	access        consoleAccess
	perDay        float64
	start         string
	multiplier    float64
	seats, quota  int
	handOff       string
	handleBot     time.Duration
	handleHuman   time.Duration
	patience      time.Duration
	draws         int
	seed          uint64
	check         bool
	output        string
	changedByHand func(flag string) bool
	// What is read of flags, and of the archive: the share, the days, and that handle times of people have their wrap-up.
	handOffShare   float64
	days           int
	wrapUpMeasured bool
}

func (o *planOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&o.files, "filename", "f", nil, "file or folder with manifests, - for standard input; may be given several times (required)")
	f.StringVar(&o.desk, "desk", "", "name of the ServiceDesk; default: the only one of the manifests")
	f.StringVar(&o.trace, "trace", "", "CSV of arrival_s,service_s,patience_s,priority or interval_start,count: what arrives")
	f.StringVar(&o.fromArchive, "from-archive", "", "so many days of the desk's archive come again, such as 28d: the desk of the cluster, or of --url")
	o.access.addFlags(f, "token of a supervisor")
	f.Float64Var(&o.perDay, "arrivals-per-day", 0, "conversations of a typical day, instead of a trace")
	f.StringVar(&o.start, "start", "", "day that is simulated, such as 2026-11-11, in the desk's zone; default: that of the trace, or tomorrow")
	f.Float64Var(&o.multiplier, "multiplier", 1, "so many times the arrivals")
	f.IntVar(&o.seats, "seats", 0, "seats of people, all day long, shared by the pools of people; default: their shifts, or their members")
	f.IntVar(&o.quota, "quota", 0, "workers that a quota allows each pool of bots; 0 for no quota")
	f.StringVar(&o.handOff, "handoff", "30%", "share of what bots answer that they hand off to people")
	f.DurationVar(&o.handleBot, "handle-bot", 185*time.Second, "mean time that a bot has a conversation, where the trace does not say it")
	f.DurationVar(&o.handleHuman, "handle-human", 6*time.Minute, "mean time that a person has a conversation, without wrap-up")
	f.DurationVar(&o.patience, "patience", 5*time.Minute, "mean time that a customer waits before giving up")
	f.IntVar(&o.draws, "draws", 5, "how often the load is drawn, for the intervals")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the first draw: the same gives the same answer")
	f.BoolVar(&o.check, "check", false, "exit with status 1 when an objective does not hold, for pipelines")
	f.StringVarP(&o.output, "output", "o", outputTable, "table, json or csv")
}

func (o *planOptions) validate() error {
	share, err := parseShare(o.handOff)
	if o.handOffShare = share; err != nil {
		return &usageError{fmt.Errorf("--handoff: %w", err)}
	}
	if o.fromArchive != "" {
		if o.days, err = parseDays(o.fromArchive); err != nil {
			return &usageError{fmt.Errorf("--from-archive: %w", err)}
		}
	}
	for _, problem := range []string{o.loadProblem(), o.numberProblem(), o.access.problem()} {
		if problem != "" {
			return &usageError{errors.New(problem)}
		}
	}
	if o.output != outputTable && o.output != outputJSON && o.output != outputCSV {
		return &usageError{fmt.Errorf("--output is %q: use table, json or csv", o.output)}
	}
	return nil
}

// loadProblem says what is wrong with what names the desk and what arrives.
func (o *planOptions) loadProblem() string {
	switch {
	case len(o.files) == 0:
		return "-f is missing: name a file or folder with manifests"
	case o.loads() > 1:
		return "give one of --trace, --from-archive and --arrivals-per-day"
	case o.loads() == 0:
		return "nothing says what arrives: give --trace FILE, --from-archive 28d, or --arrivals-per-day N for a typical day"
	case o.fromArchive == "" && o.access != (consoleAccess{}):
		return "--url, a token, --agent and what chooses a cluster are for --from-archive: leave them out"
	case o.perDay != 0 && !(o.perDay > 0 && o.perDay <= 5e6): // also NaN
		return fmt.Sprintf("--arrivals-per-day is %g: use 1 to 5000000", o.perDay)
	case !(o.multiplier > 0 && o.multiplier <= 1000): // also NaN
		return fmt.Sprintf("--multiplier is %g: use more than 0, at most 1000", o.multiplier)
	default:
		return ""
	}
}

// loads counts what says what arrives.
func (o *planOptions) loads() int {
	n := 0
	for _, given := range []bool{o.trace != "", o.fromArchive != "", o.perDay != 0} {
		if given {
			n++
		}
	}
	return n
}

func (o *planOptions) numberProblem() string {
	switch {
	case o.changed("seats") && (o.seats < 0 || o.seats > 10000):
		return fmt.Sprintf("--seats is %d: use 0 to 10000", o.seats)
	case o.quota < 0:
		return fmt.Sprintf("--quota is %d: use 1 or more, or leave it out", o.quota)
	case min(o.handleBot, o.handleHuman, o.patience) < time.Second:
		return fmt.Sprintf("--handle-bot is %s, --handle-human %s and --patience %s: use 1s or more", o.handleBot, o.handleHuman, o.patience)
	case o.draws < 1 || o.draws > 1000:
		return fmt.Sprintf("--draws is %d: use 1 to 1000", o.draws)
	default:
		return ""
	}
}

func (o *planOptions) changed(flag string) bool {
	return o.changedByHand != nil && o.changedByHand(flag)
}

// parseShare reads 30% or 0.3.
func parseShare(text string) (float64, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if isPercent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) { // also NaN
		return 0, fmt.Errorf("%q is no share: write it as 30%% or 0.3", text)
	}
	return share, nil
}

func newPlan() *cobra.Command { return newPlanAt(time.Now) }

// newPlanAt goes by a clock: tomorrow is the day after its.
func newPlanAt(clock func() time.Time) *cobra.Command {
	o := &planOptions{}
	cmd := &cobra.Command{
		Use:   "plan -f FILE...",
		Short: "Tell beforehand how a desk would serve a load",
		Long: `Plan simulates the desk of manifests under a load, with the very code that decides
about its workers, and prints for each pool how customers would be served, how many
agents it takes by quarter of an hour, and which limit bites first. Use it before a
peak, and in the review of a change:

  deskfleet plan -f shop/ --arrivals-per-day 12000 --start 2026-11-11 --multiplier 4 --seats 200
  deskfleet plan -f shop/ --trace last-year.csv --check
  kubectl desk plan -f shop/ --from-archive 28d --multiplier 1.5 -n shop

What is assumed stands in the output. With --check the exit status is 1 when an
objective does not hold.`,
		Args: inFiles(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.changedByHand = cmd.Flags().Changed
			if err := o.validate(); err != nil {
				return err
			}
			return runPlan(cmd, o, clock())
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runPlan(cmd *cobra.Command, o *planOptions, now time.Time) error {
	objects, err := manifest.Load(o.files, cmd.InOrStdin())
	if err != nil {
		return err
	}
	plans, err := planOf(objects, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	for _, problem := range plans.Problems {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Warning:", problem)
	}
	planned, err := chooseDesk(plans, o.desk)
	if err != nil {
		return err
	}
	d, err := describeDesk(planned, objects)
	if err != nil {
		return err
	}
	var archived *archivedLoad
	if o.fromArchive != "" {
		if archived, err = o.recordedLoad(cmd, d, now); err != nil {
			return err
		}
	}
	question, err := o.question(d, archived, now)
	if err != nil {
		return err
	}
	answer, err := whatif.Ask(question)
	if err != nil {
		return err
	}
	if err := writeAnswer(cmd.OutOrStdout(), answer, o.output); err != nil {
		return err
	}
	if o.check && !answer.Holds {
		return errObjective
	}
	return nil
}

func writeAnswer(to io.Writer, a *whatif.Answer, output string) error {
	switch output {
	case outputJSON:
		return a.JSON(to)
	case outputCSV:
		return a.CSV(to)
	default:
		return a.Table(to)
	}
}
