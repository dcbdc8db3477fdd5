/* SPDX-License-Identifier: MIT */
/* What a loop keeps of its requests: the list of all, the queue of those that are ready, a queue of
 * parked ones for each host (retry.h), and the slots with curl's handles.
 *
 * Only lists and counters change here. request.c decides what happens to a request; loop.c starts
 * ready requests on free slots and looks through the list for cancelled and idle ones. */
#include "http/requests.h"

#include <assert.h>

#include "base/mem.h"
#include "http/request.h"

bool igt__requests_init(igt__requests *requests, const igt__http *http, size_t slots) {
  requests->http = http;
  igt__queue_init(&requests->ready);
  requests->slots = igt__calloc(slots, sizeof *requests->slots);
  requests->multi = curl_multi_init();
  if (!requests->slots || !requests->multi)
    return false;
  requests->slot_count = slots;
  for (size_t i = slots; i-- > 0;) {
    requests->slots[i].next = requests->free_slots;
    requests->free_slots = &requests->slots[i];
  }
  return true;
}

void igt__requests_finish(igt__requests *requests) {
  for (size_t i = 0; i < requests->slot_count; i++)
    if (requests->slots[i].easy)
      igt__slot_close(&requests->slots[i]);
  if (requests->multi)
    curl_multi_cleanup(requests->multi);
  igt__http_hosts_free(requests->hosts);
  igt__free(requests->slots);
}

/* ---- all requests ---- */

void igt__requests_link(igt__requests *requests, struct igt__http_private *priv) {
  priv->all_next = requests->all;
  priv->all_prev = &requests->all;
  if (requests->all)
    requests->all->all_prev = &priv->all_next;
  requests->all = priv;
  if (priv->req->cancel || priv->spool)
    requests->cancellable++;
}

void igt__requests_unlink(igt__requests *requests, struct igt__http_private *priv) {
  *priv->all_prev = priv->all_next;
  if (priv->all_next)
    priv->all_next->all_prev = priv->all_prev;
  if (priv->req->cancel || priv->spool)
    requests->cancellable--;
}

/* ---- queues ---- */

void igt__requests_make_ready(struct igt__http_private *priv) {
  priv->state = IGT__HTTP_READY;
  igt__queue_add(&priv->requests->ready, priv);
}

void igt__requests_park(struct igt__http_private *priv) {
  priv->state = IGT__HTTP_READY;
  priv->parked = true;
  igt__queue_add(&priv->host_state->parked, priv);
}

/* Makes parked requests of the host ready, as many as its window allows. */
static void unpark(igt__http_host *host_state) {
  for (unsigned n = igt__window_free(host_state); n > 0 && host_state->parked.first; n--) {
    struct igt__http_private *priv = igt__queue_take(&host_state->parked);
    priv->parked = false;
    igt__requests_make_ready(priv);
  }
}

void igt__requests_leave(struct igt__http_private *priv) {
  (void)igt__queue_remove(priv->parked ? &priv->host_state->parked : &priv->requests->ready, priv);
  priv->parked = false;
}

/* ---- slots ---- */

igt__slot *igt__requests_open_slot(igt__requests *requests) {
  igt__slot *slot = requests->free_slots;

  if (slot->easy || igt__slot_open(slot, requests->http, NULL) == IGT_OK)
    return slot;
  if (slot->easy)
    igt__slot_close(slot);
  return NULL;
}

bool igt__requests_take_slot(struct igt__http_private *priv, igt__slot *slot) {
  igt__requests *requests = priv->requests;

  assert(requests->free_slots == slot);
  if (curl_multi_add_handle(requests->multi, slot->easy) != CURLM_OK)
    return false;
  requests->free_slots = slot->next;
  slot->attempt = &priv->attempt;
  priv->attempt.slot = slot;
  requests->running++;
  if (priv->host_state)
    priv->host_state->running++;
  return true;
}

void igt__requests_release_slot(struct igt__http_private *priv) {
  igt__requests *requests = priv->requests;
  igt__slot *slot = priv->attempt.slot;

  if (!slot)
    return;
  igt__attempt_unpause(&priv->attempt);
  curl_multi_remove_handle(requests->multi, slot->easy);
  slot->attempt = NULL;
  slot->next = requests->free_slots;
  requests->free_slots = slot;
  requests->running--;
  priv->attempt.slot = NULL;
  if (priv->host_state) {
    priv->host_state->running--;
    unpark(priv->host_state);
  }
}
