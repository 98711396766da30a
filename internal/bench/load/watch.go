package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/procfs"
)

// Process watches one process of this machine.
type Process struct {
	// Role by which it is reported.
	Role string
	PID  int
}

// Sample implements Watch.
func (p Process) Sample() (map[string]Usage, error) {
	process, err := procfs.NewProc(p.PID)
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", p.PID, err)
	}
	stat, err := process.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", p.PID, err)
	}
	return map[string]Usage{p.Role: {CPUSeconds: stat.CPUTime(), RSSBytes: int64(stat.ResidentMemory())}}, nil
}

// Endpoints watches processes by their Prometheus metrics: the URL of each role.
type Endpoints map[string]string

// Sample implements Watch.
func (e Endpoints) Sample() (map[string]Usage, error) {
	usages := map[string]Usage{}
	var errs []error
	for role, url := range e {
		usage, err := scrape(url)
		if err != nil {
			errs = append(errs, fmt.Errorf("metrics of %s at %s: %w", role, url, err))
		}
		usages[role] = usage
	}
	return usages, errors.Join(errs...)
}

func scrape(url string) (Usage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return Usage{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Usage{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return Usage{}, errors.New(response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return Usage{}, err
	}
	cpu, cpuErr := value(families, "process_cpu_seconds_total")
	rss, rssErr := value(families, "process_resident_memory_bytes")
	return Usage{CPUSeconds: cpu, RSSBytes: int64(rss)}, errors.Join(cpuErr, rssErr)
}

func value(families map[string]*dto.MetricFamily, name string) (float64, error) {
	family := families[name]
	if family == nil || len(family.GetMetric()) == 0 {
		return 0, fmt.Errorf("%s is not among them", name)
	}
	metric := family.GetMetric()[0]
	return metric.GetCounter().GetValue() + metric.GetGauge().GetValue(), nil
}
