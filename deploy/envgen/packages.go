package main

import (
	"os"
	"path"
	"path/filepath"

	"b3scale/internal/config"
)

// packages are the env files that our packages bring. What stands above the
// settings is written by hand, in env.head beside each.
func packages(from string) (map[string]string, error) {
	made := map[string]string{
		"b3scale":      config.Sample(config.Variables(), map[string]string{"B3SCALE_DB_URL": "sqlite:/var/lib/b3scale/b3scale.db"}),
		"b3scaleagent": config.Sample(config.AgentVariables(), nil),
		"b3scalenoded": config.Sample(config.NodedVariables(), nil),
	}
	files := make(map[string]string)
	for name, sample := range made {
		dir := path.Join("package", name)
		head, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(dir), "env.head"))
		if err != nil {
			return nil, err
		}
		files[path.Join(dir, "env")] = string(head) + madeBy + "\n" + sample
	}
	return files, nil
}
