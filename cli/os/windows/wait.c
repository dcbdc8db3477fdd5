/* SPDX-License-Identifier: MIT */
/* Events, and sockets through one event of Winsock's, which wakes; select() then says which. */
#include "os/os.h"

#include "os/windows/system.h"

typedef struct waits {
  HANDLE handles[MAXIMUM_WAIT_OBJECTS];
  DWORD count;
  bool has_sockets;
} waits;

/* Set by every call of WSAEventSelect whose condition holds already, and later when it does. */
static HANDLE network_event(void) {
  static HANDLE event;

  if (!event)
    event = CreateEventW(NULL, TRUE, FALSE, NULL);
  return event;
}

static void add(waits *w, const os_waiting *one) {
  const long receive = FD_ACCEPT | FD_READ | FD_CLOSE, send = FD_WRITE | FD_CLOSE;

  if (one->source == OS_NO_SOURCE || w->count == MAXIMUM_WAIT_OBJECTS)
    return;
  if (one->interest == OS_EVENT) {
    w->handles[w->count++] = (HANDLE)one->source;
    return;
  }
  (void)WSAEventSelect((SOCKET)one->source, network_event(),
                       one->interest == OS_SEND ? send : receive);
  w->has_sockets = true;
}

static bool is_ready(const os_waiting *one) {
  igt__os_pollfd fd = {.fd = (igt__os_socket)one->source,
                       .events = one->interest == OS_SEND ? IGT__OS_POLL_OUT : IGT__OS_POLL_IN};

  if (one->source == OS_NO_SOURCE)
    return false;
  if (one->interest == OS_EVENT)
    return WaitForSingleObject((HANDLE)one->source, 0) == WAIT_OBJECT_0;
  return igt__os_poll(&fd, 1, 0) > 0;
}

void os_wait(os_waiting *v, size_t n, int ms) {
  waits w = {.count = 0};

  (void)ResetEvent(network_event());
  for (size_t i = 0; i < n; i++)
    add(&w, &v[i]);
  if (w.has_sockets && w.count < MAXIMUM_WAIT_OBJECTS)
    w.handles[w.count++] = network_event();
  if (w.count)
    (void)WaitForMultipleObjects(w.count, w.handles, FALSE, (DWORD)ms);
  else
    Sleep((DWORD)ms);
  for (size_t i = 0; i < n; i++)
    v[i].ready = is_ready(&v[i]);
}

int64_t os_boot_ms(void) {
  return (int64_t)GetTickCount64();
}
