/* fields - the tables that say which fields mox.conf has, and how one is read into a
 * struct. Inside config, and for the test that holds example and man page to them. */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include "config/config.h"
#include "config/sconf.h"

enum config_type {
	CONFIG_TEXT,     /* const char * */
	CONFIG_PATH,     /* const char *, made absolute */
	CONFIG_READABLE, /* the same, and must be readable now */
	CONFIG_ANCHOR,   /* the same, or "none" */
	CONFIG_HOSTNAME, /* const char *, A-labels in lower case */
	CONFIG_URL_PATH, /* const char *, begins and ends with "/" */
	CONFIG_BOOL,
	CONFIG_UNSIGNED,
	CONFIG_INT64,
	CONFIG_DURATION_MS, /* int64_t */
	CONFIG_DURATION_S,  /* int64_t */
	CONFIG_TRIPLE,      /* unsigned[3] */
	CONFIG_TRIPLE64,    /* int64_t[3] */
	CONFIG_LOG_LEVEL,
	CONFIG_LOG_FORMAT,
	CONFIG_TLS_VERSION,
	CONFIG_TEXTS, /* const char ** and its count, as are all lists */
	CONFIG_READABLES,
	CONFIG_SERVERS,  /* const char **, "ip" or "ip@port" */
	CONFIG_ZONES,    /* const char **, A-labels in lower case */
	CONFIG_IPS,      /* struct ip * */
	CONFIG_CIDRS,    /* struct cidr * */
	CONFIG_STUBS,    /* map of zone to servers, into struct config_resolver */
	CONFIG_SECTION,  /* fields of the same struct, or of one inside it */
	CONFIG_SECTIONS, /* list of sections, each an item of item_size */
	CONFIG_MAP,      /* the same with names: item_size, the name first in the item */
	CONFIG_LISTENERS,
	CONFIG_UNUSED /* a field of the reference system that means nothing here: a warning */
};

struct config_section;

struct config_field {
	const char *name;
	enum config_type type;
	bool required;
	size_t offset, count_offset; /* in the section's struct */
	uint64_t min, max;           /* of numbers; max 0: what the type holds */
	const struct config_section *section;
	size_t item_size;
	const char *note; /* for CONFIG_UNUSED: why */
};

struct config_section {
	const struct config_field *fields;
	size_t count;
};

/* All of mox.conf, read into a struct config. */
extern const struct config_section config_root_section;
extern const struct config_section config_listener_section;

/* One reading of a file. */
struct config_reader {
	struct config *config;
	struct arena *arena;
	const char *name;         /* of the file, for messages */
	const char *folder;       /* relative paths begin here */
	unsigned *listener_lines; /* parallel to config->listeners */
	size_t warning_cap;
};

/* Reads the fields of a node into dst. */
int config_section_read(struct config_reader *r, const struct config_section *section,
	const struct sconf_node *node, void *dst, struct err *err) MUST_USE;
/* Reads one value: every type but the sections. */
int config_value_read(struct config_reader *r, const struct config_field *field,
	const struct sconf_node *node, void *dst, struct err *err) MUST_USE;
__attribute__((format(printf, 3, 4))) void config_warn(
	struct config_reader *r, unsigned line, const char *fmt, ...);
/* What one field alone cannot show: clashing addresses, TLS without certificates, ... */
int config_check(struct config_reader *r, struct err *err) MUST_USE;

/* "90s", "1h30m", "30d", "500ms"; "0" too. False for all else and for over 100 years. */
bool config_duration_parse(struct str text, int64_t *ms);
/* A-labels in lower case; ERR_PERM with the reason in words. */
int config_hostname_parse(
	struct arena *a, struct str text, const char **out, struct err *err) MUST_USE;
/* The arena of a snapshot being made. */
struct arena *config_arena(struct config *c);

#endif
