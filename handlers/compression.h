// Compression: whether the payloads of a handler or a call are compressed on the way, where both
// ends speak the extension `zstd` (grid/PROTOCOL.md, "Zstd").
//
// Off unless asked for. The length of what was compressed tells about its contents: where a payload
// holds a secret (a token, a key, a personal datum) beside text that somebody else can choose, who
// sees the lengths can guess the secret bit by bit (CRIME, BREACH), under TLS, too. Never switch it
// on for such payloads.
#ifndef GRID_HANDLERS_COMPRESSION_H_
#define GRID_HANDLERS_COMPRESSION_H_

#include <cstdint>

namespace grid {

// In a request or stream of ours: of what we send. In a registration: of the answers, whatever the
// caller chose. A payload is sent as it is if it does not become smaller by at least an eighth, and
// so are errors. It is compressed where it is handed over: on the thread that calls Request,
// OpenStream or Write, or on which the handler ends. What is handed over on the connection's I/O
// thread, or before there is a connection, is compressed there, at some 300 MB/s.
struct Compression {
  bool enabled = false;
  // Payloads with fewer bytes are not tried: little is saved, and without a dictionary mostly
  // nothing.
  uint32_t min_bytes = 1024;
  // Id of a dictionary (ManagerOptions::dictionaries) for payloads that are alike; 0: none. Used
  // with peers that have it, too; with others payloads are compressed without. Must be one that the
  // manager has.
  uint32_t dictionary = 0;
};

}  // namespace grid

#endif  // GRID_HANDLERS_COMPRESSION_H_
