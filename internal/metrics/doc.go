// Package metrics shows Prometheus what the cluster does. What memory knows is
// read when somebody asks for it; what happens in between is counted without
// locks, because joins pass by here. Nobody else imports the client library.
package metrics
