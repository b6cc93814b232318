package main

import (
	"time"

	"mcphub/discovery"
)

// settings is all that the process is told from outside. A field tagged secret
// may come from a file named by <NAME>_FILE, is never shown, and is removed from
// the process's environment.
type settings struct {
	Config string `env:"MCPHUB_CONFIG"`
	Host   string `env:"MCPHUB_HOST" envDefault:"127.0.0.1"`
	Port   int    `env:"MCPHUB_PORT" envDefault:"7070"` // 0: any free one

	AuthToken string `env:"MCPHUB_AUTH_TOKEN" secret:"true"` // see Auth
	AuthJSON  string `env:"MCPHUB_AUTH" secret:"true"`       // see Auth

	MaxAttempts  int           `env:"MCPHUB_RECONNECT_MAX_ATTEMPTS" envDefault:"3"`
	InitialDelay time.Duration `env:"MCPHUB_RECONNECT_INITIAL_DELAY" envDefault:"1s"`
	MaxDelay     time.Duration `env:"MCPHUB_RECONNECT_MAX_DELAY" envDefault:"30s"`

	SessionKeys    sessionKeys `env:"MCPHUB_SESSION_KEY" secret:"true"` // the first seals; none: make one up
	AllowedHosts   hostNames   `env:"MCPHUB_ALLOWED_HOSTS"`
	AllowedOrigins origins     `env:"MCPHUB_ALLOWED_ORIGINS"`
	MaxBody        byteSize    `env:"MCPHUB_MAX_BODY" envDefault:"16MiB"`

	ShutdownGrace time.Duration `env:"MCPHUB_SHUTDOWN_GRACE" envDefault:"8s"`
	LogLevel      logLevel      `env:"MCPHUB_LOG_LEVEL" envDefault:"info"`
	LogFormat     logFormat     `env:"MCPHUB_LOG_FORMAT" envDefault:"auto"`

	Docker              dockerMode    `env:"MCPHUB_DOCKER" envDefault:"auto"`
	DockerHost          string        `env:"MCPHUB_DOCKER_HOST"` // instead of DOCKER_HOST; see docker.Options for this and the next
	DockerLabelPrefix   string        `env:"MCPHUB_DOCKER_LABEL_PREFIX" envDefault:"mcphub"`
	DockerFilter        string        `env:"MCPHUB_DOCKER_FILTER"`
	DockerRequireEnable bool          `env:"MCPHUB_DOCKER_REQUIRE_ENABLE" envDefault:"false"`
	DockerNetwork       string        `env:"MCPHUB_DOCKER_NETWORK"`
	DockerAddress       string        `env:"MCPHUB_DOCKER_ADDRESS" envDefault:"auto"`
	DockerHostAddress   string        `env:"MCPHUB_DOCKER_HOST_ADDRESS"`
	DockerSelf          string        `env:"MCPHUB_DOCKER_SELF"`
	DockerResync        time.Duration `env:"MCPHUB_DOCKER_RESYNC" envDefault:"60s"`
	DockerDebounce      time.Duration `env:"MCPHUB_DOCKER_DEBOUNCE" envDefault:"250ms"`
	DockerDebounceMax   time.Duration `env:"MCPHUB_DOCKER_DEBOUNCE_MAX" envDefault:"2s"`
	DockerLinger        time.Duration `env:"MCPHUB_DOCKER_LINGER" envDefault:"10s"`
	DockerAllowURL      bool          `env:"MCPHUB_DOCKER_ALLOW_URL" envDefault:"false"`
	DockerStdio         bool          `env:"MCPHUB_DOCKER_STDIO" envDefault:"on"`
	Instance            string        `env:"MCPHUB_INSTANCE" envDefault:"default"`

	Demo    bool `env:"-"`
	Version bool `env:"-"` // nothing else is read then

	Bridge  string `env:"-"` // the id of the server that is all that is served; empty: this is no bridge
	Install string `env:"-"` // where the program is to be copied, and nothing else to be done

	Auth     discovery.Auth    `env:"-"` // what the file, MCPHUB_AUTH and MCPHUB_AUTH_TOKEN come to
	Servers  discovery.List    `env:"-"` // what the environment declares
	File     *discovery.Config `env:"-"` // nil without a file
	Warnings []string          `env:"-"`

	inputs inputs // where all this came from; see reload
}

// logFormat is how the log is written: text, json, or auto, which is text on a
// terminal and json elsewhere.
type logFormat string
