package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Durability says what "stored" means to a server.
type Durability string

// Durabilities. A desk promises that an acknowledged message is not lost, which
// only [DurabilityAlways] keeps when the machines of a server lose power.
const (
	// DurabilityAlways: acknowledged is on disk (sync_interval: always).
	DurabilityAlways Durability = "Always"
	// DurabilityInterval: acknowledged is on disk within the sync interval.
	DurabilityInterval Durability = "Interval"
	// DurabilityUnknown: the server does not tell an ordinary account.
	DurabilityUnknown Durability = "Unknown"
)

// probeTimeout of each question to the server.
const probeTimeout = 2 * time.Second

// ProbeDurability asks one server of an external bus how it stores: by its
// monitoring URL (http://HOST:8222), if one is given, else over the
// connection, which is answered only to the system account. It gives the sync
// interval too if that is known.
func ProbeDurability(ctx context.Context, c Conn, monitor string) (Durability, time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var answer struct {
		Data jsz `json:"data"`
	}
	var data []byte
	var err error
	if monitor != "" {
		data, err = getJSZ(ctx, monitor)
		if err == nil {
			err = json.Unmarshal(data, &answer.Data)
		}
	} else {
		data, err = c.Request(ctx, "$SYS.REQ.SERVER.PING.JSZ", nil)
		if err == nil {
			err = json.Unmarshal(data, &answer)
		}
	}
	config := answer.Data.Config
	switch {
	case err != nil || config.StoreDir == "":
		return DurabilityUnknown, 0
	case config.SyncAlways:
		return DurabilityAlways, 0
	}
	return DurabilityInterval, config.SyncInterval
}

type jsz struct {
	Config struct {
		StoreDir     string        `json:"store_dir"`
		SyncAlways   bool          `json:"sync_always"`
		SyncInterval time.Duration `json:"sync_interval"`
	} `json:"config"`
}

func getJSZ(ctx context.Context, monitor string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(monitor, "/")+"/jsz", nil)
	if err != nil {
		return nil, fmt.Errorf("bus monitoring URL: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("bus monitoring answers %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, 1<<20))
}
