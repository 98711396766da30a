// Package keda runs KEDA's unchanged scale executor, which decides between none
// and one, beside the controller of the HorizontalPodAutoscaler that KEDA makes for
// all else, in the virtual time of a testing/synctest bubble. KEDA's loop around
// them is ours: it polls every 30 s and stores the last active time. So is the
// figure of a cron trigger: all scalers are one package with the clients of every
// cloud, and this one says two numbers.
package keda
