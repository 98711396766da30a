module github.com/deskfleet/deskfleet/hack/bench/scaling

go 1.26.0

require github.com/deskfleet/deskfleet v0.0.0

replace github.com/deskfleet/deskfleet => ../../..
