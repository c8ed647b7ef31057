"""Ask one question of a running network each; run by people and CI."""
