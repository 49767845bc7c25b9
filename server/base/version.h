/* version - what this build calls itself. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char version_text[];

#endif
