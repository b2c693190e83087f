// expect: this end of the stream reads nothing
#include "handlers/stream_handler.h"

void Read(grid::TypedStream<int, grid::NoPayload>& stream) { (void)stream.Read(); }
