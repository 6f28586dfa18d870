package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// properties are what an agent reads on a node.
type properties struct {
	serverURL, secret        string
	redisAddr, redisPassword string
}

// write makes dir/NODE/bbb-web.properties. Others may not read it: it holds
// secrets.
func (p properties) write(dir, node string) error {
	dir = filepath.Join(dir, node)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("properties of %s: %w", node, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by bbbsim for %s.\n", node)
	fmt.Fprintf(&b, "bigbluebutton.web.serverURL=%s\nsecuritySalt=%s\n", p.serverURL, p.secret)
	if host, port, err := net.SplitHostPort(p.redisAddr); err == nil {
		fmt.Fprintf(&b, "redisHost=%s\nredisPort=%s\nredisPassword=%s\n", host, port, p.redisPassword)
	}
	if err := os.WriteFile(filepath.Join(dir, "bbb-web.properties"), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("properties of %s: %w", node, err)
	}
	return nil
}
